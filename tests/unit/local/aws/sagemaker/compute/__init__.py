"""Jobs and containers, without the local cloud."""
