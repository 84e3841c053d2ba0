"""What every scenario and every API stands on: scenarios, batches of environments, rooms, checks."""
