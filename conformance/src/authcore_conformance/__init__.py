"""Every behaviour of authcore that a user can see over HTTP, to hold an adapter against."""
