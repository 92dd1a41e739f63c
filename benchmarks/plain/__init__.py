"""The usual ways: what a careful person writes with the tools at hand, and nothing crippled."""
