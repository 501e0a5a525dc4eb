"""Environment maps: what a workload's environment says about the services around it."""
