"""What stands on the page report/index.html: pictures, their words, points of the scatter, templates and styles."""
