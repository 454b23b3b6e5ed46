"""Files of order requests: an object in the bucket is worked through in ranges of bytes, each line through the API's own door, and what
became of the file is written beside it and reported on the bus."""
