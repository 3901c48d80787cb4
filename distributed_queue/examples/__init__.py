"""Programs to try and to copy from. Each runs as it is, and says in its first lines what one will see."""
