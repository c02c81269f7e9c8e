"""Pictures of one study."""
