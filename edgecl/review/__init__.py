"""Review of collected images: what people say that they show, kept, compared and exported."""
