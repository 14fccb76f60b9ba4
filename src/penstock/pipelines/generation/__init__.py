"""Networks that draw images, and networks that compress them."""
