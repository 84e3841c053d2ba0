"""The reproduction of the paper: `paper` is the way in, `plan` says what is run, `claims.json` what the paper says."""
