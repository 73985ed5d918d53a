"""The page: the gateway's HTML, CSS and JavaScript, as they lie in the folder `assets`."""
