"""What happens inside transactions, by what it is about."""
