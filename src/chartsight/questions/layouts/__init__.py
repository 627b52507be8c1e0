"""Other people's question sets, one file a layout, an example item on top of each."""
