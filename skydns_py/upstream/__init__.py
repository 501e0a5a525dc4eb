"""What is asked elsewhere: upstream servers, what they reply, and how long that is remembered."""
