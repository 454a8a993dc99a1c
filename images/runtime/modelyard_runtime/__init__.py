"""What Modelyard's pods share: how they are asked, how they answer, and how they read and write versions of data."""
