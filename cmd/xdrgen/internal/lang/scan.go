package lang

import "strings"

// token is one lexical unit. text is empty at the end of the source.
type token struct {
	pos    Pos
	text   string
	kind   tokenKind
	before []comment // comments between the last token and this one
}

type tokenKind int

const (
	tokEnd tokenKind = iota
	tokName
	tokNumber
	tokMark
)

type comment struct {
	from, to int // lines
	lines    []string
}

type scanner struct {
	file string
	src  string
	at   int
	pos  Pos
	// include takes a line that starts with #include, without its line end.
	include func(at Pos, line string)
}

func (s *scanner) fail(p Pos, text string) {
	panic(&Error{File: s.file, Pos: p, Text: text})
}

// step skips n bytes.
func (s *scanner) step(n int) {
	for _, c := range []byte(s.src[s.at : s.at+n]) {
		s.pos.Col++
		if c == '\n' {
			s.pos = Pos{s.pos.Line + 1, 1}
		}
	}
	s.at += n
}

// next returns the next token with the comments before it. It skips lines that start with a percent
// sign, which are meant for C.
func (s *scanner) next() token {
	var t token
	for s.at < len(s.src) {
		rest := s.src[s.at:]
		switch {
		case strings.IndexByte(" \t\r\n\f\v", rest[0]) >= 0:
			s.step(1)
		case rest[0] == '%' && s.pos.Col == 1:
			s.step(strings.IndexByte(rest+"\n", '\n'))
		case strings.HasPrefix(rest, "#include") && s.pos.Col == 1:
			at, line := s.pos, rest[:strings.IndexByte(rest+"\n", '\n')]
			s.step(len(line))
			s.include(at, line)
		case strings.HasPrefix(rest, "/*"):
			end := strings.Index(rest[2:], "*/")
			if end < 0 {
				s.fail(s.pos, "comment without an end")
			}
			c := comment{from: s.pos.Line, lines: commentLines(rest[2 : 2+end])}
			s.step(end + 4)
			c.to = s.pos.Line
			t.before = append(t.before, c)
		default:
			t.pos = s.pos
			t.kind, t.text = s.word(rest)
			s.step(len(t.text))
			return t
		}
	}
	t.pos = s.pos
	return t
}

func (s *scanner) word(rest string) (tokenKind, string) {
	span := func(in string) string {
		i := 0
		for i < len(rest) && (letter(rest[i]) || digit(rest[i]) || strings.IndexByte(in, rest[i]) >= 0) {
			i++
		}
		return rest[:i]
	}
	switch c := rest[0]; {
	case letter(c):
		return tokName, span("_")
	case digit(c), c == '-' && len(rest) > 1 && digit(rest[1]):
		return tokNumber, span("-")
	case strings.IndexByte("{}()[]<>*=,;:", c) >= 0:
		return tokMark, rest[:1]
	default:
		s.fail(s.pos, "unexpected character")
		return tokEnd, ""
	}
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func digit(c byte) bool  { return c >= '0' && c <= '9' }

// commentLines removes the decoration of a comment: the stars of a column, and empty lines at both
// ends.
func commentLines(text string) []string {
	var lines []string
	for l := range strings.Lines(text) {
		l = strings.TrimSpace(l)
		l = strings.TrimSpace(strings.TrimPrefix(l, "*"))
		if l != "" || len(lines) > 0 {
			lines = append(lines, l)
		}
	}
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}
