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
    while (start < size) {
        uint64_t length;
        int header = read_header(s + start, size - start, masked, most, &length);
        PyObject *opcode = state->opcodes[s[start] & 0x0F];
        if (!header || opcode == NULL
            || length > (uint64_t)(size - start - header))
            break;
        const uint8_t *from = s + start + header;
        PyObject *payload = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)length);
        if (payload == NULL)
            return NULL;
        uint8_t *to = (uint8_t *)PyBytes_AS_STRING(payload);
        /* An empty payload is one object for all: nothing is written to it. */
        if (length && masked)
            mask_bytes(to, from, (Py_ssize_t)length, from - 4);
        else if (length)
            memcpy(to, from, length);
        PyObject *frame = make_frame(state, opcode, payload, s[start] & 0x80);
        Py_DECREF(payload);
        if (frame == NULL || PyList_Append(frames, frame) < 0) {
            Py_XDECREF(frame);
            return NULL;
        }
        Py_DECREF(frame);
        start += header + (Py_ssize_t)length;
    }
    return PyLong_FromSsize_t(start);
}

static PyObject *
speedups_are_messages(PyObject *module, PyObject *args)
{
    State *state = PyModule_GetState(module);
    PyObject *frames;
    unsigned long long most;
    if (!PyArg_ParseTuple(args, "O!K:are_messages", &PyList_Type, &frames, &most))
        return NULL;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(frames); i++) {
        PyObject *frame = PyList_GET_ITEM(frames, i);
        if (!PyTuple_Check(frame) || PyTuple_GET_SIZE(frame) != 3
            || !PyBytes_Check(PyTuple_GET_ITEM(frame, 1)))
            Py_RETURN_FALSE;
        PyObject *opcode = PyTuple_GET_ITEM(frame, 0);
        PyObject *data = PyTuple_GET_ITEM(frame, 1);
        Py_ssize_t size = PyBytes_GET_SIZE(data);
        if (PyTuple_GET_ITEM(frame, 2) != Py_True || (unsigned long long)size > most)
            Py_RETURN_FALSE;
        if (opcode == state->opcodes[TEXT]) {
            if (!is_utf8((const uint8_t *)PyBytes_AS_STRING(data), size))
                Py_RETURN_FALSE;
        }
        else if (opcode != state->opcodes[BINARY]) {
            Py_RETURN_FALSE;
        }
    }
    Py_RETURN_TRUE;
}

/* The module */

static PyObject *
speedups_configure(PyObject *module, PyObject *args)
{
    State *state = PyModule_GetState(module);
    PyObject *frame, *opcodes;
    if (!PyArg_ParseTuple(args, "O!O!:configure", &PyType_Type, &frame, &PyDict_Type,
                          &opcodes))
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
    {"are_messages", speedups_are_messages, METH_VARARGS, NULL},
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
