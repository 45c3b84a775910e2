"""What authors of packs test their packs with: ``unittest`` classes, without a platform."""
