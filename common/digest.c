// SHA-256 (libsodium) and hex.

#include "common/digest.h"

#include <sodium.h>
#include <string.h>

void digest_sha256(const void *bytes, size_t length, uint8_t digest[DIGEST_BYTES])
{
    crypto_hash_sha256(digest, bytes, length);
}

void digest_chain(const uint8_t previous[DIGEST_BYTES], const void *line, size_t length,
                  uint8_t next[DIGEST_BYTES])
{
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, previous, DIGEST_BYTES);
    crypto_hash_sha256_update(&state, line, length);
    crypto_hash_sha256_final(&state, next);
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
