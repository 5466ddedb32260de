// SHA-256 and hex. OpenSSL's digest uses the processor's own instructions and is four times as fast
// as libsodium's, and every event is digested four times on its way; libpq brings it along anyway.
// Its streaming calls are asked for by API level, because a context of EVP costs more than a short
// digest, and so does SHA256(), which looks its own method up each time.
#define OPENSSL_API_COMPAT 0x10100000L

#include "common/digest.h"

#include <openssl/sha.h>
#include <string.h>

void digest_sha256(const void *bytes, size_t length, uint8_t digest[DIGEST_BYTES])
{
    digest_pair(bytes, length, NULL, 0, digest);
}

void digest_pair(const void *first, size_t first_length, const void *second, size_t second_length,
                 uint8_t digest[DIGEST_BYTES])
{
    SHA256_CTX state;
    SHA256_Init(&state);
    SHA256_Update(&state, first, first_length);
    SHA256_Update(&state, second, second_length);
    SHA256_Final(digest, &state);
}

void digest_chain(const uint8_t previous[DIGEST_BYTES], const void *line, size_t length,
                  uint8_t next[DIGEST_BYTES])
{
    digest_pair(previous, DIGEST_BYTES, line, length, next);
}

void hex_encode(const uint8_t *bytes, size_t length, char *hex)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < length; i++) {
        hex[2 * i] = digits[bytes[i] >> 4];
        hex[2 * i + 1] = digits[bytes[i] & 15];
    }
    hex[2 * length] = '\0';
}

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

bool hex_decode(const char *hex, uint8_t *bytes, size_t length)
{
    if (strlen(hex) != 2 * length)
        return false;
    for (size_t i = 0; i < length; i++) {
        int high = hex_value(hex[2 * i]);
        int low = hex_value(hex[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}
