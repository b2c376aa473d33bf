"""Plans, scripts and what people say, as lines of text; and the plugins that follow them."""
