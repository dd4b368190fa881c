package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"mpp"
	"mpp/publish/publishtest"
)

// document is what the tests read of openapi.json.
type document struct {
	Paths      map[string]map[string]operation
	Components struct {
		Schemas map[string]schema
	}
}

type operation struct {
	Responses map[string]struct {
		Content map[string]struct {
			Schema struct {
				Ref string `json:"$ref"`
			}
		}
	}
	Security []any
}

type schema struct {
	Type                 string
	Format               string
	Ref                  string `json:"$ref"`
	Items                *schema
	Enum                 []string
	Required             []string
	Properties           map[string]schema
	AdditionalProperties *bool
}

func theDocument(t testing.TB) document {
	t.Helper()
	var d document
	if err := json.Unmarshal(openAPI, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func newServer(t testing.TB, src Source) *Server {
	t.Helper()
	s, err := New(Options{Source: src, Listen: "127.0.0.1:0", Token: "s3cret", Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = w.Write([]byte("# nothing\n"))
	})})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestEveryRouteIsDescribedAndNothingElseIs(t *testing.T) {
	var routes, described []string
	for _, r := range newServer(t, &publishtest.Source{}).table() {
		if r.method == anyMethod {
			routes = append(routes, "GET "+r.path, "HEAD "+r.path, "OPTIONS "+r.path)
			continue
		}
		routes = append(routes, r.method+" "+r.path)
	}
	for path, operations := range theDocument(t).Paths {
		for method := range operations {
			described = append(described, strings.ToUpper(method)+" "+path)
		}
	}
	sort.Strings(routes)
	sort.Strings(described)
	if diff := cmp.Diff(routes, described); diff != "" {
		t.Errorf("routes (-) and openapi.json (+) differ:\n%s", diff)
	}
}

func TestEveryPostNeedsTheTokenByItsDescription(t *testing.T) {
	for path, operations := range theDocument(t).Paths {
		for method, o := range operations {
			if (method == "post") != (len(o.Security) > 0) {
				t.Errorf("%s %s: security is described wrongly", method, path)
			}
		}
	}
}

// nouns are the schemas that are Go structs.
func nouns() map[string]reflect.Type {
	return map[string]reflect.Type{
		"Problem": reflect.TypeFor[Problem](), "Maintenance": reflect.TypeFor[mpp.Maintenance](), "View": reflect.TypeFor[mpp.View](),
		"Pool": reflect.TypeFor[mpp.PoolView](), "Policy": reflect.TypeFor[mpp.PolicyView](), "PoolProblem": reflect.TypeFor[mpp.Problem](), "Node": reflect.TypeFor[mpp.NodeView](),
		"Checkpoint": reflect.TypeFor[mpp.CheckpointView](), "Observation": reflect.TypeFor[mpp.Observation](),
		"Check": reflect.TypeFor[mpp.CheckResult](), "Server": reflect.TypeFor[mpp.Server](), "Channel": reflect.TypeFor[mpp.Channel](),
		"Explanation": reflect.TypeFor[mpp.Explanation](), "NodeExplanation": reflect.TypeFor[mpp.NodeExplanation](),
		"NodeList": reflect.TypeFor[NodeList](), "Event": reflect.TypeFor[mpp.Event](), "EventList": reflect.TypeFor[EventList](),
		"OperationList": reflect.TypeFor[OperationList](), "Operation": reflect.TypeFor[mpp.Operation](), "OperationOptions": reflect.TypeFor[mpp.OperationOptions](),
		"Step": reflect.TypeFor[mpp.Step](), "Position": reflect.TypeFor[mpp.Position](), "Gate": reflect.TypeFor[mpp.Gate](), "Candidate": reflect.TypeFor[mpp.Candidate](),
		"Readiness": reflect.TypeFor[mpp.Readiness](), "AddressReport": reflect.TypeFor[mpp.AddressReport](), "SemiSync": reflect.TypeFor[mpp.SemiSync](),
		"Settings": reflect.TypeFor[mpp.Settings](), "Diagnosis": reflect.TypeFor[mpp.Diagnosis](), "Finding": reflect.TypeFor[mpp.Finding](),
		"Command": reflect.TypeFor[mpp.Command](), "Result": reflect.TypeFor[mpp.Result](), "Reloaded": reflect.TypeFor[Reloaded](),
	}
}

func TestSchemasAreThoseOfTheNouns(t *testing.T) {
	schemas, names := theDocument(t).Components.Schemas, nouns()
	byType := map[reflect.Type]string{reflect.TypeFor[mpp.Status](): "Status", reflect.TypeFor[mpp.State](): "State"}
	for name, typ := range names {
		byType[typ] = name
	}
	for name, s := range schemas {
		typ, isNoun := names[name]
		if !isNoun {
			if s.Type != "string" || len(s.Enum) == 0 {
				t.Errorf("schema %s is neither a noun nor an enumeration", name)
			}
			continue
		}
		delete(names, name)
		if closed := s.AdditionalProperties != nil && !*s.AdditionalProperties; closed != (name == "Command") {
			t.Errorf("schema %s: requests are closed to other fields, answers may gain some", name)
		}
		compare(t, name, typ, s, byType)
	}
	for name := range names {
		t.Errorf("schema %s is missing", name)
	}
}

// compare holds the fields of a struct against the properties of a schema.
func compare(t *testing.T, name string, typ reflect.Type, s schema, byType map[reflect.Type]string) {
	t.Helper()
	fields := map[string]bool{}
	for f := range typ.Fields() {
		key, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		fields[key] = true
		p, there := s.Properties[key]
		if !there {
			t.Errorf("schema %s lacks %s", name, key)
			continue
		}
		if required := !strings.Contains(options, "omit"); required != slices.Contains(s.Required, key) && name != "Command" {
			t.Errorf("schema %s: %s required is %v", name, key, !required)
		}
		if got, want := shape(p), shapeOf(f.Type, byType); got != want {
			t.Errorf("schema %s: %s is %s, in Go it is %s", name, key, got, want)
		}
	}
	for key := range s.Properties {
		if !fields[key] {
			t.Errorf("schema %s has %s, which is no field", name, key)
		}
	}
}

func shape(s schema) string {
	switch {
	case s.Ref != "":
		return strings.TrimPrefix(s.Ref, "#/components/schemas/")
	case s.Items != nil:
		return "list of " + shape(*s.Items)
	default:
		return strings.TrimSpace(s.Type + " " + s.Format)
	}
}

func shapeOf(typ reflect.Type, byType map[reflect.Type]string) string {
	if typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	if name := byType[typ]; name != "" {
		return name
	}
	switch {
	case typ == reflect.TypeFor[time.Time]():
		return "string date-time"
	case typ.Kind() == reflect.Slice, typ.Kind() == reflect.Array:
		return "list of " + shapeOf(typ.Elem(), byType)
	case typ.Kind() == reflect.Bool:
		return "boolean"
	case typ.Kind() == reflect.String:
		return "string"
	default:
		return "integer"
	}
}

// validator compiles the schema of an answer.
func validator(t *testing.T) func(ref string) *jsonschema.Schema {
	t.Helper()
	whole, err := jsonschema.UnmarshalJSON(bytes.NewReader(openAPI))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("openapi.json", whole); err != nil {
		t.Fatal(err)
	}
	return func(ref string) *jsonschema.Schema {
		s, err := c.Compile("openapi.json" + ref)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

// asked is a request whose answer is held against the document.
type asked struct {
	method, url, route string // route as in the document
	body               string
	status             int
	src                *publishtest.Source // nil for one where all is well
	noToken            bool
}

func TestAnswersAreAsDescribed(t *testing.T) {
	d, compile := theDocument(t), validator(t)
	seen := map[string]bool{}
	for _, a := range everyAnswer() {
		t.Run(a.method+" "+a.url+" "+http.StatusText(a.status), func(t *testing.T) {
			w := ask(t, a)
			if w.Code != a.status {
				t.Fatalf("status %d, want %d: %s", w.Code, a.status, w.Body)
			}
			method := strings.ToLower(a.method)
			response, described := d.Paths[a.route][method].Responses[code(w.Code)]
			if !described {
				t.Fatalf("status %d of %s %s is not described", w.Code, a.method, a.route)
			}
			seen[method+a.route+code(w.Code)] = true
			media, _, _ := strings.Cut(w.Header().Get("Content-Type"), ";")
			content, described := response.Content[media]
			if !described {
				t.Fatalf("content type %q is not described", media)
			}
			if content.Schema.Ref == "" {
				return
			}
			value, err := jsonschema.UnmarshalJSON(w.Body)
			if err != nil {
				t.Fatal(err)
			}
			if err := compile(content.Schema.Ref).Validate(value); err != nil {
				t.Errorf("the answer is not as described: %v", err)
			}
		})
	}
	seen["get/v1/events503"] = true // TestTheNumberOfStreamsIsBounded sees it
	for path, operations := range d.Paths {
		for method, o := range operations {
			for status := range o.Responses {
				if !seen[method+path+status] {
					t.Errorf("no test sees status %s of %s %s", status, method, path)
				}
			}
		}
	}
}

func code(status int) string { return strconv.Itoa(status) }

func ask(t testing.TB, a asked) *httptest.ResponseRecorder {
	t.Helper()
	if a.src == nil {
		a.src = wellSource()
	}
	s := newServer(t, a.src)
	if a.status == http.StatusForbidden {
		s.o.Token = ""
	}
	return askOf(s, a)
}

// askOf asks a server over TCP.
func askOf(s *Server, a asked) *httptest.ResponseRecorder {
	r := httptest.NewRequest(a.method, a.url, strings.NewReader(a.body))
	if !a.noToken {
		r.Header.Set("Authorization", "Bearer s3cret")
	}
	w := httptest.NewRecorder()
	guarded(s.overTCP(s.mux)).ServeHTTP(w, r)
	return w
}
