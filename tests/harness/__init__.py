"""What the scenarios stand on: a broker under test, and real clients as programs."""
