"""HTTP: probes, environment maps and listings, on addresses of their own."""
