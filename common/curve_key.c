// CURVE key files: 64 hex digits, mode 0600, never overwritten.
// A key is an identity (docs/architecture.md, invariant 6), so a file that others can read, or a
// key that everybody has, is refused and not only warned of.

#include "common/curve_key.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include "common/digest.h"
#include "common/named_file.h"

// The key pairs printed in the zmq_curve(7) manual: everyone has their secret halves.
static const char *const published_keys[] = {
    "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID",
    "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs",
    "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7",
    "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6",
};

// By bytes and not by text: our files hold hex, the manual Z85.
static bool is_published(const uint8_t key[CURVE_KEY_BYTES])
{
    for (size_t i = 0; i < sizeof(published_keys) / sizeof(published_keys[0]); i++) {
        uint8_t published[CURVE_KEY_BYTES];
        if (zmq_z85_decode(published, published_keys[i]) != NULL &&
            memcmp(published, key, CURVE_KEY_BYTES) == 0)
            return true;
    }
    return false;
}

// On disk before the public half is shown: an allow-list must never name a key whose secret a power
// cut took away. The digits are wiped from the stack.
static bool write_secret(int fd, const char *path, const struct curve_key *key, struct error *err)
{
    char hex[CURVE_KEY_HEX + 1];
    hex_encode(key->secret, CURVE_KEY_BYTES, hex);
    hex[CURVE_KEY_HEX - 1] = '\n';
    bool written = write(fd, hex, CURVE_KEY_HEX) == CURVE_KEY_HEX && fsync(fd) == 0;
    sodium_memzero(hex, sizeof(hex));
    if (!written)
        return fail(err, REACT_STOP, "cannot write key file %s: %s", path, strerror(errno));
    return true;
}

// O_EXCL: replacing a key silently would lock its collector out. The mode is given at creation, so
// there is no moment at which others could open the file.
bool curve_key_create(const char *path, struct curve_key *key, struct error *err)
{
    randombytes_buf(key->secret, CURVE_KEY_BYTES);
    crypto_scalarmult_base(key->public, key->secret);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST)
        return fail(err, REACT_STOP,
                    "key file %s exists; hint: remove it first if its key is to be replaced", path);
    if (fd < 0)
        return fail(err, REACT_STOP, "cannot create key file %s: %s", path, strerror(errno));
    bool written = write_secret(fd, path, key, err);
    close(fd);
    if (!written) {
        unlink(path); // half a key would be in the way of the next try
        curve_key_wipe(key);
    }
    return written;
}

void curve_key_wipe(struct curve_key *key)
{
    sodium_memzero(key, sizeof(*key));
}

// Neither group nor others may have any right, as ssh demands of its keys. Asked of what was
// opened: the path may name another file a moment later.
static bool check_private(int fd, const char *path, struct error *err)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return fail(err, REACT_STOP, "cannot look at key file %s: %s", path, strerror(errno));
    if ((info.st_mode & 077) != 0)
        return fail(err, REACT_STOP, "key file %s can be read by others; hint: chmod 600 %s", path,
                    path);
    return true;
}

// Into one buffer on the stack, and by no reader that would keep copies of its own. White space at
// the end is what editors leave.
static bool read_secret(int fd, const char *path, struct curve_key *key, struct error *err)
{
    char text[256];
    ssize_t length = read(fd, text, sizeof(text) - 1);
    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == ' '))
        length--;
    text[length > 0 ? length : 0] = '\0';
    bool decoded = hex_decode(text, key->secret, CURVE_KEY_BYTES);
    sodium_memzero(text, sizeof(text));
    return decoded || fail(err, REACT_STOP, "key file %s does not hold 64 hex digits", path);
}

// The public half is computed and never read: a file with two halves could hold two that do not
// belong together.
static bool complete(const char *path, struct curve_key *key, struct error *err)
{
    crypto_scalarmult_base(key->public, key->secret);
    // The public half as well: somebody may have pasted either of the manual's texts.
    if (is_published(key->secret) || is_published(key->public))
        return fail(err, REACT_STOP,
                    "key file %s holds a test key of the ZeroMQ manual; hint: make one with keygen",
                    path);
    return true;
}

// What is there and cannot be used is not mended by a new one.
static bool open_secret(const char *path, int *fd, struct error *err)
{
    if (named_file_open(path, NAMED_FILE_REGULAR, fd, err))
        return true;
    fail_in(err, "key file");
    const struct error cause = *err;
    if (access(path, F_OK) == 0)
        return false;
    return fail(err, REACT_STOP, "%s; hint: make one with keygen", cause.text);
}

bool curve_key_load(const char *path, struct curve_key *key, struct error *err)
{
    int fd;
    if (!open_secret(path, &fd, err))
        return false;
    SCOPED_CURVE_KEY read = {0};
    bool loaded = check_private(fd, path, err) && read_secret(fd, path, &read, err) &&
                  complete(path, &read, err);
    close(fd);
    if (loaded)
        *key = read;
    return loaded;
}

bool curve_public_from_hex(const char *hex, uint8_t public_key[CURVE_KEY_BYTES], struct error *err)
{
    uint8_t decoded[CURVE_KEY_BYTES];
    if (!hex_decode(hex, decoded, CURVE_KEY_BYTES))
        return fail(err, REACT_STOP, "public key '%.80s' is not 64 hex digits", hex);
    if (is_published(decoded))
        return fail(err, REACT_STOP, "public key '%.80s' is a test key of the ZeroMQ manual", hex);
    memcpy(public_key, decoded, CURVE_KEY_BYTES);
    return true;
}
