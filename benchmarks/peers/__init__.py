"""What other libraries' guards and refreshes cost, beside authcore's, on the same framework and store in one run."""
