"""What a classifier and its user's images and labels give and take: the one place that examines."""
