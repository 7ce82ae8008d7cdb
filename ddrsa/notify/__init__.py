"""Messages about a sweep, to phones, mail and chats."""
