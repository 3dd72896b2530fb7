"""What a command does, as frozen dataclasses: their fields are its flags."""
