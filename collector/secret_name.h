#pragma once

#include <stdbool.h>
#include <stddef.h>

// Tells from the name of a field, argument or variable whether its value is a secret.

enum secret_class {
    SECRET_NO,
    SECRET_REFERENCE, // names where a secret lies: secretName, tokenFile, secretKeyRef
    SECRET_YES,
};

// Ignores case, '_', '-' and '.', and what stands before the last '/' (an annotation's domain).
//
// Secret when the rest holds password, passwd, pwd, passphrase, token, secret, credential, apikey,
// privatekey, accesskey, accountkey, clientkey, encryptionkey, signingkey, azurestoragekey,
// authorization, connectionstring, sharedaccesssignature or dockerconfigjson, ends in jwt, bearer
// or the word pass, is auths (a registry's logins), or is the flag --auth. Of these, names that end
// in name, names, ref, refs, file, path, dir, url, uri, endpoint, namespace, type, class, provider
// or enabled, and imagePullSecret(s), are references. Words of language models are neither:
// tokenizer, and counts such as max_tokens, whose values must be numbers (secret_is_count).
enum secret_class secret_classify(const char *name, size_t length);

// True when the name ends with a secret's word: "db_password" does, "token-classifier" does not.
bool secret_is_end(const char *name, size_t length);

// True for a name such as max_tokens or maxPrefixTokensToMatch, whose numbers are no secrets.
int secret_is_count(const char *name, size_t length);
