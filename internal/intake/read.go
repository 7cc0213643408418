package intake

// portableReader reads any connection. While it waits it holds a few bytes.
type portableReader struct {
	first []byte
}

const firstRead = 256

func (p *portableReader) read(c *conn) (int, error) {
	c.idle()
	if c.work != nil {
		n, err := c.nc.Read(c.work.space())
		c.work.end += n
		return n, err
	}
	if p.first == nil {
		p.first = make([]byte, firstRead)
	}
	n, err := c.nc.Read(p.first)
	if n > 0 {
		w := c.borrow()
		w.end = copy(w.space(), p.first[:n])
	}
	return n, err
}
