"""Two texts of one document beside each other: what is the same, whose outline fits, how two changes go together."""
