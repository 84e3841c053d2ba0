"""Link matrices: the power of every cell over time or over places, measured, ray-traced or recorded."""
