"""What happens when nothing happens: promises that end by themselves, stages that take too long, and workers that are to look once more.

The deadlines stand in the orders' events, and the view `deadlines` lists orders by them: the sweeper reads the beginnings of its lists, and
decides by the log. Several instances may run at once: what is due is done once, since the log takes it once."""
