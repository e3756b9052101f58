/*
 * The target of libFuzzer for the parser of examples/http: see fuzz.sh. What it finds goes to the
 * corpus, where corpus.c runs it in every build.
 */
#include "drive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    drive_stream((const char *)data, size);
    return 0;
}
