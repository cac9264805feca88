"""One module a group of commands; each public function is what one Invoke task calls."""
