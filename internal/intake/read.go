package intake

// portableReader reads any connection. While it waits it holds a few bytes.
type portableReader struct {
	first []byte
}

const firstRead = 256

func (p *portableReader) read(c *conn) (int, error) {
	c.idle()
	if c.work != nil {
		space, err := c.space()
		if err != nil {
			return 0, err
		}
		n, err := c.nc.Read(space)
		c.work.end += n
		return n, err
	}
	if p.first == nil {
		p.first = make([]byte, firstRead)
	}
	n, err := c.nc.Read(p.first)
	if n > 0 {
		w := c.borrow()
		w.end = copy(w.in, p.first[:n]) // it is empty, and has room
	}
	return n, err
}
