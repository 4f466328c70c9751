"""Every client SDK against every provider dialect."""
