"""Methods x tasks x seeds: cells that are computed once, and the tables made of them."""
