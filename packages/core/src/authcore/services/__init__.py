"""What two rooms share. Services import no room."""
