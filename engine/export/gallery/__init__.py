"""A static page that lists a folder of replays."""
