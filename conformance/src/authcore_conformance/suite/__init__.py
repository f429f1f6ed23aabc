"""The suite: one module for each room, and one for each thing that all of them share."""
