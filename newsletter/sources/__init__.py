"""Upstreams: each turns a foreign payload into sightings."""
