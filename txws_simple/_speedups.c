/* The C twin of _pure.py: whole frames out of a segment, masking, UTF-8.
 *
 * It decides nothing.  Where a frame is not whole, or has anything wrong with it,
 * it stops and leaves the verdict to Python.  Every length is checked against
 * what has arrived before a byte is touched, and nothing is allocated for a
 * length that was only declared.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

enum { CONTINUATION = 0, TEXT = 1, BINARY = 2, CLOSE = 8, PONG = 10 };

typedef struct {
    PyTypeObject *frame; /* the type of a Frame, a tuple of three */
    PyObject *opcodes[16]; /* the Opcode of each number, NULL for the unknown */
    Py_ssize_t packed; /* the size from which on nothing is packed */
} State;

/* Masking: RFC 6455, section 5.3. */

static void
mask_bytes(uint8_t *to, const uint8_t *from, Py_ssize_t size, const uint8_t key[4])
{
    uint64_t wide;
    Py_ssize_t i = 0;
    memcpy(&wide, key, 4);
    memcpy((uint8_t *)&wide + 4, key, 4);
    for (; size - i >= 8; i += 8) {
        uint64_t word;
        memcpy(&word, from + i, 8);
        word ^= wide;
        memcpy(to + i, &word, 8);
    }
    for (; i < size; i++)
        to[i] = from[i] ^ key[i & 3];
}

static int
is_key(const Py_buffer *key)
{
    if (key->len == 4 || key->len == 0)
        return 1;
    PyErr_SetString(PyExc_ValueError, "a masking key has four bytes");
    return 0;
}

static PyObject *
speedups_mask(PyObject *module, PyObject *args)
{
    PyObject *data;
    Py_buffer key;
    PyObject *result = NULL;
    (void)module;
    if (!PyArg_ParseTuple(args, "Sy*:mask", &data, &key))
        return NULL;
    if (is_key(&key)) {
        Py_ssize_t size = PyBytes_GET_SIZE(data);
        if (key.len == 0 || size == 0) {
            Py_INCREF(data);
            result = data;
        }
        else if ((result = PyBytes_FromStringAndSize(NULL, size)) != NULL) {
            mask_bytes((uint8_t *)PyBytes_AS_STRING(result),
                       (const uint8_t *)PyBytes_AS_STRING(data), size, key.buf);
        }
    }
    PyBuffer_Release(&key);
    return result;
}

/* How many bytes the pieces of a list or tuple are together; -1 for an error. */
static Py_ssize_t
total_size(PyObject *pieces)
{
    Py_ssize_t total = 0;
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(pieces); i++) {
        Py_ssize_t size = PyObject_Length(PySequence_Fast_GET_ITEM(pieces, i));
        if (size < 0)
            return -1;
        if (size > PY_SSIZE_T_MAX - total) {
            PyErr_SetString(PyExc_OverflowError, "the pieces are too large");
            return -1;
        }
        total += size;
    }
    return total;
}

static PyObject *
speedups_join(PyObject *module, PyObject *args)
{
    PyObject *sequence, *pieces, *result = NULL;
    Py_buffer key;
    (void)module;
    if (!PyArg_ParseTuple(args, "Oy*:join", &sequence, &key))
        return NULL;
    /* A tuple of our own: nobody changes it meanwhile. */
    pieces = PySequence_Tuple(sequence);
    if (pieces == NULL || !is_key(&key))
        goto done;
    Py_ssize_t total = total_size(pieces);
    if (total < 0 || (result = PyBytes_FromStringAndSize(NULL, total)) == NULL)
        goto done;
    uint8_t *to = (uint8_t *)PyBytes_AS_STRING(result);
    Py_ssize_t at = 0;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(pieces); i++) {
        Py_buffer piece;
        if (PyObject_GetBuffer(PyTuple_GET_ITEM(pieces, i), &piece, PyBUF_SIMPLE) < 0)
            goto failed;
        if (piece.len > total - at) {
            PyBuffer_Release(&piece);
            PyErr_SetString(PyExc_RuntimeError, "a piece has grown");
            goto failed;
        }
        if (key.len) {
            uint8_t turned[4];
            for (int k = 0; k < 4; k++)
                turned[k] = ((uint8_t *)key.buf)[(at + k) & 3];
            mask_bytes(to + at, piece.buf, piece.len, turned);
        }
        else {
            memcpy(to + at, piece.buf, piece.len);
        }
        at += piece.len;
        PyBuffer_Release(&piece);
    }
    if (at == total)
        goto done;
    PyErr_SetString(PyExc_RuntimeError, "a piece has shrunk");
failed:
    Py_CLEAR(result);
done:
    Py_XDECREF(pieces);
    PyBuffer_Release(&key);
    return result;
}

/* UTF-8: RFC 3629, section 4. */

static int
is_utf8(const uint8_t *s, Py_ssize_t size)
{
    const uint8_t *end = s + size;
    while (s < end) {
        if (end - s >= 8) {
            uint64_t word;
            memcpy(&word, s, 8);
            if (!(word & UINT64_C(0x8080808080808080))) {
                s += 8;
                continue;
            }
        }
        uint8_t c = *s;
        if (c < 0x80) {
            s++;
        }
        else if (c >= 0xC2 && c <= 0xDF) {
            if (end - s < 2 || (s[1] & 0xC0) != 0x80)
                return 0;
            s += 2;
        }
        else if (c >= 0xE0 && c <= 0xEF) {
            uint8_t low = c == 0xE0 ? 0xA0 : 0x80, high = c == 0xED ? 0x9F : 0xBF;
            if (end - s < 3 || s[1] < low || s[1] > high || (s[2] & 0xC0) != 0x80)
                return 0;
            s += 3;
        }
        else if (c >= 0xF0 && c <= 0xF4) {
            uint8_t low = c == 0xF0 ? 0x90 : 0x80, high = c == 0xF4 ? 0x8F : 0xBF;
            if (end - s < 4 || s[1] < low || s[1] > high || (s[2] & 0xC0) != 0x80
                || (s[3] & 0xC0) != 0x80)
                return 0;
            s += 4;
        }
        else {
            return 0;
        }
    }
    return 1;
}

/* Frames: RFC 6455, section 5.2. */

static PyObject *
make_frame(State *state, PyObject *opcode, PyObject *data, int fin)
{
    PyObject *frame = state->frame->tp_alloc(state->frame, 3);
    if (frame == NULL)
        return NULL;
#if PY_VERSION_HEX >= 0x030E0000
    /* Where tuples keep their hash, 0 would be taken for one. */
    ((PyTupleObject *)frame)->ob_hash = -1;
#endif
    PyObject *last = fin ? Py_True : Py_False;
    Py_INCREF(opcode);
    Py_INCREF(data);
    Py_INCREF(last);
    PyTuple_SET_ITEM(frame, 0, opcode);
    PyTuple_SET_ITEM(frame, 1, data);
    PyTuple_SET_ITEM(frame, 2, last);
    return frame;
}

/* The header at `s`, of which `size` bytes are there: its own length, and that of
 * its payload, or 0 where it is not whole or not without fault. */
static int
read_header(const uint8_t *s, Py_ssize_t size, int masked, uint64_t most, uint64_t *length)
{
    int header = masked ? 6 : 2;
    if (size < header || (s[0] & 0x70) || !(s[1] & 0x80) != !masked)
        return 0;
    *length = s[1] & 0x7F;
    if ((s[0] & 0x0F) >= CLOSE)
        return (s[0] & 0x80) && *length <= 125 && *length <= most ? header : 0;
    if (*length == 126) {
        header += 2;
        if (size < header)
            return 0;
        *length = (uint64_t)s[2] << 8 | s[3];
        if (*length < 126)
            return 0;
    }
    else if (*length == 127) {
        header += 8;
        if (size < header)
            return 0;
        *length = 0;
        for (int i = 2; i < 10; i++)
            *length = *length << 8 | s[i];
        if (*length < 65536 || *length >> 63)
            return 0;
    }
    return *length <= most ? header : 0;
}

/* A frame that begins a segment, or follows others in it. */
typedef struct {
    PyObject *opcode;
    const uint8_t *payload;
    Py_ssize_t length, size; /* of the payload, and with the header */
    int masked, fin;
} Found;

/* The frame at `s`, of which `size` bytes are there, if it is whole and without
 * fault. */
static int
find_frame(State *state, const uint8_t *s, Py_ssize_t size, int masked, uint64_t most,
           Found *found)
{
    uint64_t length;
    int header = read_header(s, size, masked, most, &length);
    if (!header || length > (uint64_t)(size - header))
        return 0;
    found->opcode = state->opcodes[s[0] & 0x0F];
    found->payload = s + header;
    found->length = (Py_ssize_t)length;
    found->size = header + found->length;
    found->masked = masked;
    found->fin = s[0] & 0x80;
    return found->opcode != NULL;
}

static PyObject *
unmasked_payload(const Found *found)
{
    PyObject *payload = PyBytes_FromStringAndSize(NULL, found->length);
    /* An empty payload is one object for all: nothing is written to it. */
    if (payload == NULL || found->length == 0)
        return payload;
    uint8_t *to = (uint8_t *)PyBytes_AS_STRING(payload);
    if (found->masked)
        mask_bytes(to, found->payload, found->length, found->payload - 4);
    else
        memcpy(to, found->payload, found->length);
    return payload;
}

/* Append a frame; -1 for an error. */
static int
append_frame(State *state, PyObject *frames, const Found *found, PyObject *payload)
{
    PyObject *frame = make_frame(state, found->opcode, payload, found->fin);
    if (frame == NULL)
        return -1;
    int result = PyList_Append(frames, frame);
    Py_DECREF(frame);
    return result;
}

static PyObject *
speedups_split(PyObject *module, PyObject *args)
{
    State *state = PyModule_GetState(module);
    PyObject *data, *frames;
    Py_ssize_t start;
    int masked;
    unsigned long long most;
    if (!PyArg_ParseTuple(args, "SnpKO!:split", &data, &start, &masked, &most,
                          &PyList_Type, &frames))
        return NULL;
    if (state->frame == NULL || start < 0) {
        PyErr_SetString(PyExc_ValueError, "not configured, or a negative start");
        return NULL;
    }
    const uint8_t *s = (const uint8_t *)PyBytes_AS_STRING(data);
    Py_ssize_t size = PyBytes_GET_SIZE(data);
    Found found;
    while (start < size
           && find_frame(state, s + start, size - start, masked, most, &found)) {
        PyObject *payload = unmasked_payload(&found);
        if (payload == NULL)
            return NULL;
        int failed = append_frame(state, frames, &found, payload);
        Py_DECREF(payload);
        if (failed < 0)
            return NULL;
        start += found.size;
    }
    return PyLong_FromSsize_t(start);
}

/* Whether a frame is a message of its own, and whether what it carries may be. */

static int
is_single(State *state, PyObject *opcode, int fin)
{
    return fin && (opcode == state->opcodes[TEXT] || opcode == state->opcodes[BINARY]);
}

static int
is_valid(State *state, PyObject *opcode, PyObject *data)
{
    return opcode != state->opcodes[TEXT]
        || is_utf8((const uint8_t *)PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data));
}

/* The next two are called for every segment and every message: they take their
 * arguments as they come, without a parser of formats. */

static PyObject *
speedups_messages(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    State *state = PyModule_GetState(module);
    if (count != 4 || !PyBytes_Check(args[0]) || !PyList_Check(args[3])
        || state->frame == NULL) {
        PyErr_SetString(PyExc_TypeError, "messages(bytes, bool, int, list)");
        return NULL;
    }
    int masked = PyObject_IsTrue(args[1]);
    unsigned long long most = PyLong_AsUnsignedLongLong(args[2]);
    if (masked < 0 || PyErr_Occurred())
        return NULL;
    const uint8_t *s = (const uint8_t *)PyBytes_AS_STRING(args[0]);
    Py_ssize_t size = PyBytes_GET_SIZE(args[0]), start = 0;
    Found found;
    while (start < size
           && find_frame(state, s + start, size - start, masked, most, &found)
           && is_single(state, found.opcode, found.fin)) {
        PyObject *payload = unmasked_payload(&found);
        if (payload == NULL)
            return NULL;
        if (!is_valid(state, found.opcode, payload)) {
            Py_DECREF(payload);
            break;
        }
        int failed = append_frame(state, args[3], &found, payload);
        Py_DECREF(payload);
        if (failed < 0)
            return NULL;
        start += found.size;
    }
    return PyLong_FromSsize_t(start);
}

/* One frame without a mask, in one piece. */
static PyObject *
pack(int opcode, const char *data, Py_ssize_t size)
{
    int header = size < 126 ? 2 : size < 65536 ? 4 : 10;
    PyObject *packed = PyBytes_FromStringAndSize(NULL, header + size);
    if (packed == NULL)
        return NULL;
    uint8_t *to = (uint8_t *)PyBytes_AS_STRING(packed);
    to[0] = (uint8_t)(0x80 | opcode);
    to[1] = (uint8_t)(header == 2 ? size : header == 4 ? 126 : 127);
    for (int i = header - 1; i > 1; i--)
        to[i] = (uint8_t)((uint64_t)size >> 8 * (header - 1 - i));
    memcpy(to + header, data, size);
    return packed;
}

static PyObject *
pack_text(State *state, PyObject *text)
{
    Py_ssize_t size;
    if (PyUnicode_GET_LENGTH(text) >= state->packed)
        Py_RETURN_NONE;
    const char *data = PyUnicode_AsUTF8AndSize(text, &size);
    if (data == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError))
            return NULL;
        PyErr_Clear();
        Py_RETURN_NONE;
    }
    if (size >= state->packed)
        Py_RETURN_NONE;
    return pack(TEXT, data, size);
}

static PyObject *
speedups_pack(PyObject *module, PyObject *message)
{
    State *state = PyModule_GetState(module);
    PyObject *opcode = state->opcodes[BINARY], *data = message;
    int fin = 1;
    if (PyUnicode_CheckExact(message))
        return pack_text(state, message);
    if (state->frame != NULL && Py_IS_TYPE(message, state->frame)
        && PyTuple_GET_SIZE(message) == 3) {
        opcode = PyTuple_GET_ITEM(message, 0);
        data = PyTuple_GET_ITEM(message, 1);
        fin = PyTuple_GET_ITEM(message, 2) == Py_True;
    }
    if (!PyBytes_CheckExact(data) || PyBytes_GET_SIZE(data) >= state->packed
        || !is_single(state, opcode, fin) || !is_valid(state, opcode, data))
        Py_RETURN_NONE;
    return pack(opcode == state->opcodes[TEXT] ? TEXT : BINARY,
                PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data));
}

/* The module */

static PyObject *
speedups_configure(PyObject *module, PyObject *args)
{
    State *state = PyModule_GetState(module);
    PyObject *frame, *opcodes;
    Py_ssize_t packed;
    if (!PyArg_ParseTuple(args, "O!O!n:configure", &PyType_Type, &frame, &PyDict_Type,
                          &opcodes, &packed))
        return NULL;
    if (!PyType_IsSubtype((PyTypeObject *)frame, &PyTuple_Type)) {
        PyErr_SetString(PyExc_TypeError, "a frame is a tuple");
        return NULL;
    }
    for (int i = 0; i < 16; i++) {
        PyObject *number = PyLong_FromLong(i);
        if (number == NULL)
            return NULL;
        PyObject *opcode = PyDict_GetItemWithError(opcodes, number);
        Py_DECREF(number);
        if (opcode == NULL && PyErr_Occurred())
            return NULL;
        Py_XINCREF(opcode);
        Py_XSETREF(state->opcodes[i], opcode);
    }
    Py_INCREF(frame);
    Py_XSETREF(state->frame, (PyTypeObject *)frame);
    state->packed = packed;
    Py_RETURN_NONE;
}

static int
speedups_traverse(PyObject *module, visitproc visit, void *arg)
{
    State *state = PyModule_GetState(module);
    Py_VISIT(state->frame);
    for (int i = 0; i < 16; i++)
        Py_VISIT(state->opcodes[i]);
    return 0;
}

static int
speedups_clear(PyObject *module)
{
    State *state = PyModule_GetState(module);
    Py_CLEAR(state->frame);
    for (int i = 0; i < 16; i++)
        Py_CLEAR(state->opcodes[i]);
    return 0;
}

static PyMethodDef methods[] = {
    {"configure", speedups_configure, METH_VARARGS, NULL},
    {"mask", speedups_mask, METH_VARARGS, NULL},
    {"join", speedups_join, METH_VARARGS, NULL},
    {"split", speedups_split, METH_VARARGS, NULL},
    {"messages", (PyCFunction)(void (*)(void))speedups_messages, METH_FASTCALL, NULL},
    {"pack", speedups_pack, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
#ifdef Py_mod_gil
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_speedups",
    .m_doc = "The C twin of _pure.",
    .m_size = sizeof(State),
    .m_methods = methods,
    .m_slots = slots,
    .m_traverse = speedups_traverse,
    .m_clear = speedups_clear,
};

PyMODINIT_FUNC
PyInit__speedups(void)
{
    return PyModuleDef_Init(&module);
}
