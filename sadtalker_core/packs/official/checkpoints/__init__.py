"""Published files <-> the networks of a release."""
