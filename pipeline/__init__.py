"""vidshift: adapts a video action classifier to a new domain, without the source videos."""
