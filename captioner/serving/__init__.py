"""Captions over HTTP, and a web page to get, read, correct and keep them."""
