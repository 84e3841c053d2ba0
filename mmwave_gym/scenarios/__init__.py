"""One room for each scenario: configuration, world, game, scene, tasks and the text of its docs page."""
