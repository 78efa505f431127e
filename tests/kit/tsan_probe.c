/* SPDX-License-Identifier: MIT */
/* Does the thread sanitizer start on this machine? tools/check asks. */
int main(void)
{
    return 0;
}
