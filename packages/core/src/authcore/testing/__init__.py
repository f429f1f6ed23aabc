"""What tests of applications use: ports whose clock and randomness are in hand."""
