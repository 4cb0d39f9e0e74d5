"""Jobs and containers, without the laptop cloud."""
