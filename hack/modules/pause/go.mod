module modelyard.dev/build/pause

go 1.25.0
