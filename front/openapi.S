/* openapi.S: docs/openapi.json as bytes of the program. */
    .section .rodata
    .global openapi_json, openapi_json_end
openapi_json:
    .incbin OPENAPI_FILE
openapi_json_end:
    .byte 0
    .section .note.GNU-stack, "", %progbits
